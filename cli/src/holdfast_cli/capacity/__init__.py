"""What a rate of activities needs: arithmetic on costs that were measured. It does no I/O."""
