"""The nets: layers, backbones, region proposals. Values come through constructors; no configuration here."""
