"""Turns: one at a time, by login in rotation, and none is lost when somebody stops waiting."""

import asyncio

from fanslymotion.ui.uploads.turns import Turns


def test_one_who_brings_one_thing_does_not_wait_for_anothers_hundred() -> None:
    order: list[str] = []

    async def use(turns: Turns, owner: str, name: str) -> None:
        async with turns.turn(owner):
            order.append(name)
            await asyncio.sleep(0)

    async def everybody() -> None:
        turns = Turns()
        tasks = [asyncio.create_task(use(turns, "anna", f"anna {n}")) for n in range(4)]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(use(turns, owner, owner)) for owner in ("ben", "carl")]
        await asyncio.gather(*tasks)

    asyncio.run(everybody())
    assert sorted(order) == ["anna 0", "anna 1", "anna 2", "anna 3", "ben", "carl"]
    assert {"ben", "carl"} <= set(order[:4])


def test_one_at_a_time() -> None:
    inside = most = 0

    async def use(turns: Turns, n: int) -> None:
        nonlocal inside, most
        async with turns.turn(f"login {n % 3}"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    async def everybody() -> None:
        turns = Turns()
        await asyncio.gather(*(use(turns, n) for n in range(30)))

    asyncio.run(everybody())
    assert (most, inside) == (1, 0)


def test_who_stops_waiting_takes_no_turn_and_loses_none() -> None:
    """Cancelled while waiting, while inside, and just as the turn is given."""

    async def use(turns: Turns, owner: str) -> str:
        async with turns.turn(owner):
            await asyncio.sleep(0.001)
        return owner

    async def everybody() -> list[str]:
        turns = Turns()
        first = asyncio.create_task(use(turns, "a"))
        waiting = [asyncio.create_task(use(turns, f"b{n}")) for n in range(6)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        first.cancel()
        turns_given = asyncio.create_task(use(turns, "c"))
        await asyncio.sleep(0)
        waiting[0].cancel()
        ended = await asyncio.gather(first, *waiting, turns_given, return_exceptions=True)
        return [one for one in ended if isinstance(one, str)]

    assert asyncio.run(asyncio.wait_for(everybody(), 30)) == ["b2", "b3", "b4", "b5", "c"]
