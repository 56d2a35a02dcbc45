"""What this machine's CPU can do."""

import torch


def multiplies_bfloat16() -> bool:
    """Return whether the CPU has instructions for bfloat16 (avx512_bf16, AMX, ARM's bf16).

    Others emulate it, far slower than float32. Releases of torch that cannot tell count as one that
    has none.
    """
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(has is True for name, has in capabilities.items() if "bf16" in name)
