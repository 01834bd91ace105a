"""Which generations a slot holds and how each is made; the life that they pass is drawn in `generations.life`."""
