import pytest

from engine.domain.errors import DeviceMissing
from engine.domain.ports import Device
from engine.runtime.devices import choose_device, find_devices, visible_gpus

CPU = Device("cpu", None, "x86, 2 cores", 8 << 30)
GPUS = tuple(
    Device(f"GPU-{name}", i, f"H{i}", 80 << 30) for i, name in enumerate(("aa", "ab", "b"))
)
ALL = (*GPUS, CPU)


def test_auto_takes_the_first_free_gpu() -> None:
    assert choose_device("auto", ALL, taken={}) == GPUS[0]
    assert choose_device("auto", ALL, taken={"GPU-aa": 1}) == GPUS[1]


def test_auto_waits_for_a_gpu_rather_than_take_the_cpu_beside_it() -> None:
    taken = {gpu.id: 1 for gpu in GPUS}
    assert choose_device("auto", ALL, taken=taken) == ("Waits for a GPU: all 3 run other searches.")


def test_auto_takes_the_cpu_where_there_is_no_gpu() -> None:
    assert choose_device("auto", (CPU,), taken={}) == CPU


def test_a_run_waits_while_the_places_of_its_device_are_taken() -> None:
    shared = Device("cpu", None, "x86, 2 cores", 8 << 30, places=2)
    assert choose_device("cpu", (shared,), taken={"cpu": 1}) == shared
    assert choose_device("cpu", (shared,), taken={"cpu": 2}) == (
        "Waits for the CPU, which runs 2 other searches."
    )
    assert choose_device("cuda:1", ALL, taken={"GPU-ab": 1}) == (
        "Waits for cuda:1 (H1), which runs another search."
    )


@pytest.mark.parametrize("wanted", ["cuda:1", "GPU-ab"])
def test_a_gpu_is_found_by_number_and_by_uuid(wanted: str) -> None:
    assert choose_device(wanted, ALL, taken={}) == GPUS[1]


def test_a_device_of_another_machine_is_waited_for() -> None:
    waiting = choose_device("cuda:7", ALL, taken={}, elsewhere={"cuda:7"})
    assert waiting == "Waits for cuda:7, which another machine has."


def test_a_device_that_no_machine_has_is_refused_with_the_names_of_those_there() -> None:
    with pytest.raises(DeviceMissing) as refusal:
        choose_device("cuda:3", (GPUS[0], CPU), taken={})
    assert str(refusal.value) == (
        "Asked for device = 'cuda:3'; found no such device on any machine with an engine; "
        "allowed is one of auto, GPU-aa, cpu, cuda:0; start a new search with one of these, "
        "or an engine on a machine that has it."
    )


@pytest.mark.parametrize(
    ("setting", "chosen"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("2,0", [2, 0]),
        ("GPU-b, GPU-aa", [2, 0]),
        ("GPU-a", []),
        ("0,-1,1", [0]),
        ("1,1", [1]),
    ],
)
def test_visible_gpus_follow_the_rules_of_cuda(setting: str | None, chosen: list[int]) -> None:
    assert visible_gpus(GPUS, setting) == tuple(GPUS[i] for i in chosen)


def test_this_machine_has_a_cpu_with_memory_unless_it_offers_no_place() -> None:
    cpu = find_devices(cpu_places=3, visible="")[0]
    assert (cpu.id, cpu.index, cpu.places) == ("cpu", None, 3)
    assert cpu.memory_bytes > 0
    assert find_devices(cpu_places=0, visible="") == ()
