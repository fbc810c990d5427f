"""DeepCache (arXiv 2312.00858) for the spatio-temporal UNet: deep features of one step serve the next one, too."""

from typing import Any

import torch


class CachedUNet:
    """Takes the UNet's place. Every `every`-th call is a whole pass; the others compute the uppermost layers only.

    depth: 1 reuses what enters the last layer, 2 what enters the one before it.
    """

    def __init__(self, unet: Any, every: int = 2, depth: int = 2) -> None:
        self.unet, self.every, self.depth = unet, every, depth
        self.calls = 0
        self._kept: Any = None

    def __call__(self, sample: torch.Tensor, timestep: Any, **words: Any) -> tuple[torch.Tensor, ...]:
        whole = self.calls % self.every == 0
        self.calls += 1
        return self._whole(sample, timestep, **words) if whole else self._cached(sample, timestep, **words)

    def _whole(self, sample: torch.Tensor, timestep: Any, **words: Any) -> tuple[torch.Tensor, ...]:
        first = self.unet.up_blocks[-1].resnets[-self.depth]
        skip = self.unet.config.block_out_channels[0]

        def keep(_: Any, args: tuple[Any, ...]) -> None:
            self._kept = args[0][:, :-skip].contiguous()

        hook = first.register_forward_pre_hook(keep)
        try:
            return self.unet(sample, timestep, **words)
        finally:
            hook.remove()

    def _cached(
        self, sample: torch.Tensor, timestep: Any, *, encoder_hidden_states: Any, added_time_ids: Any, **_: Any
    ) -> tuple[torch.Tensor, ...]:
        """What UNetSpatioTemporalConditionModel.forward does, without all below the uppermost layers."""
        unet = self.unet
        batch, frames = sample.shape[:2]
        emb = unet.time_embedding(unet.time_proj(timestep[None].to(sample.device).expand(batch)).to(sample.dtype))
        ids = unet.add_time_proj(added_time_ids.flatten()).reshape(batch, -1)
        emb = emb + unet.add_embedding(ids.to(emb.dtype))
        emb = emb.repeat_interleave(frames, dim=0, output_size=batch * frames)
        context = encoder_hidden_states.repeat_interleave(frames, dim=0, output_size=batch * frames)
        video = torch.zeros(batch, frames, dtype=sample.dtype, device=sample.device)
        skips = [unet.conv_in(sample.flatten(0, 1))]
        down, up = unet.down_blocks[0], unet.up_blocks[-1]
        if self.depth == 2:
            skips.append(_layer(down, 0, skips[0], emb, context, video))
        x = self._kept
        for place in range(-self.depth, 0):
            x = _layer(up, place, torch.cat([x, skips[-1 - place]], dim=1), emb, context, video)
        x = unet.conv_out(unet.conv_act(unet.conv_norm_out(x)))
        return (x.reshape(batch, frames, *x.shape[1:]),)


def _layer(block: Any, place: int, x: torch.Tensor, emb: Any, context: Any, video: Any) -> torch.Tensor:
    x = block.resnets[place](x, emb, image_only_indicator=video)
    if getattr(block, "attentions", None) is None:
        return x
    return block.attentions[place](x, encoder_hidden_states=context, image_only_indicator=video, return_dict=False)[0]
