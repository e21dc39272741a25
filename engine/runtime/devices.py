"""Which devices there are, and which one a run gets.

GPUs are found through the driver's management library, so that this process
neither initialises CUDA nor holds memory on a GPU.
"""

import platform
from collections.abc import Collection, Mapping, Sequence

import psutil
import pynvml

from engine.domain.errors import DeviceMissing
from engine.domain.ports import Device

CPU = "cpu"


def find_devices(
    *, cpu_places: int, gpu_places: int = 1, visible: str | None = None
) -> tuple[Device, ...]:
    """The GPUs of this machine, then its CPU.

    Args:
        cpu_places: How many searches may share the CPU; 0 leaves it out.
        gpu_places: How many searches may share one GPU.
        visible: What ``CUDA_VISIBLE_DEVICES`` says; None shows every GPU.
    """
    cpu = (find_cpu(cpu_places),) if cpu_places else ()
    return (*visible_gpus(find_gpus(gpu_places), visible), *cpu)


def find_cpu(places: int) -> Device:
    """The CPU as a device."""
    cores = psutil.cpu_count() or 1
    label = f"{platform.processor() or platform.machine()}, {cores} cores"
    return Device(CPU, None, label, psutil.virtual_memory().total, places)


def find_gpus(places: int = 1) -> tuple[Device, ...]:
    """Every NVIDIA GPU in the driver's order; none without a driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_gpu(index, places) for index in range(pynvml.nvmlDeviceGetCount()))
    finally:
        pynvml.nvmlShutdown()


def _gpu(index: int, places: int) -> Device:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    uuid, name = pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle)
    return Device(str(uuid), index, str(name), memory, places)


def visible_gpus(gpus: Sequence[Device], setting: str | None) -> tuple[Device, ...]:
    """The GPUs that ``CUDA_VISIBLE_DEVICES`` leaves, in its order.

    As in CUDA, an entry is a number or the beginning of a UUID, and the first
    entry that fits no GPU ends the list.
    """
    if setting is None:
        return tuple(gpus)
    chosen: list[Device] = []
    for entry in (part.strip() for part in setting.split(",")):
        found = [
            gpu
            for gpu in gpus
            if entry == str(gpu.index) or (entry.startswith("GPU-") and gpu.id.startswith(entry))
        ]
        if len(found) != 1 or found[0] in chosen:
            break
        chosen.append(found[0])
    return tuple(chosen)


def choose_device(
    wanted: str,
    devices: Sequence[Device],
    *,
    taken: Mapping[str, int],
    elsewhere: Collection[str] = (),
) -> Device | str:
    """The device for a queued run, or a sentence that says why it waits.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda:<index>`` or a GPU's UUID.
        devices: The devices of this machine.
        taken: How many searches each device runs already, by its id.
        elsewhere: Names of devices of other machines: ids and ``cuda:<index>``.

    Raises:
        DeviceMissing: No machine has the device.
    """
    fitting = [device for device in devices if _fits(wanted, device, devices)]
    if not fitting and wanted in elsewhere:
        return f"Waits for {wanted}, which another machine has."
    if not fitting:
        raise DeviceMissing(
            asked=f"device = {wanted!r}",
            found="no such device on any machine with an engine",
            allowed=f"one of {', '.join(('auto', *names_of(devices)))}",
            advice="start a new search with one of these, or an engine on a machine that has it",
        )
    for device in fitting:
        if taken.get(device.id, 0) < device.places:
            return device
    return _waiting(fitting)


def names_of(devices: Sequence[Device]) -> tuple[str, ...]:
    """Every name by which a run may ask for one of the devices."""
    numbers = [f"cuda:{device.index}" for device in devices if device.index is not None]
    return (*(device.id for device in devices), *numbers)


def _fits(wanted: str, device: Device, devices: Sequence[Device]) -> bool:
    is_gpu = device.index is not None
    if wanted == "auto":
        return is_gpu or all(other.index is None for other in devices)
    return wanted in names_of([device])


def _waiting(busy: Sequence[Device]) -> str:
    if len(busy) > 1:
        return f"Waits for a GPU: all {len(busy)} run other searches."
    device = busy[0]
    name = "the CPU" if device.id == CPU else f"cuda:{device.index} ({device.label})"
    searches = "another search" if device.places == 1 else f"{device.places} other searches"
    return f"Waits for {name}, which runs {searches}."
