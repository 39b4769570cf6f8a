"""The replay check: tell whether the runs in flight would go on with the code of this tree.

The histories of the runs are read as the engine keeps them, and the SDK's own executor is driven
over each with the code at hand, as an engine would after the deployment. The SDK compares the
names of steps; this check also compares their inputs, their apps, the ids of children and the
events that are waited for, and it wants the code to be where the run is: no step more, none less.
"""
