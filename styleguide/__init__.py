"""The design system on one page, shown by the demo: a blueprint beside the product's own, with its templates."""
