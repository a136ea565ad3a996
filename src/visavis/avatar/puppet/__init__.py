"""The layered 2.5-D puppet: one picture, warped by fields, over a mouth interior and a table of eyes."""
