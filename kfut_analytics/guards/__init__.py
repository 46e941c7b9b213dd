"""What stands by while orders are open: the dead man's switch, brackets, and the kill switch.

They send through the order desk like everything else; `dead_man`, `bracket` and `kill` each hold one of them.
"""
