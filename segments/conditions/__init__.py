"""What a segment can ask: fields, operators, the tree's JSON, its SQL and its sentence."""
