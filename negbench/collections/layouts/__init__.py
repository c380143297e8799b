"""Layouts of pairs, triplets and mined negatives, as other tools write them. One file a layout; all give ``Row``.

``files`` opens a file by what it holds, ``recognise`` chooses the layout by the names of the fields.
"""
