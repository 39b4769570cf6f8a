"""Services with one rule taken out, to show that the rule is what holds.

Each module runs a real service, the product's own code, with one function replaced. Product code
has no switch for this.
"""
