"""The literal table of jobs: what can be asked of an engine beside its searches."""

from engine.runtime.data_job import examine_data
from engine.runtime.export_job import export_file
from engine.runtime.job_context import Perform
from engine.runtime.latency_job import measure_network
from engine.runtime.measurements import measure_child
from engine.runtime.preflight_job import fly
from engine.runtime.speed_job import measure_speed

JOBS: dict[str, Perform] = {
    "child": measure_child,
    "latency": measure_network,
    "export": export_file,
    "data": examine_data,
    "preflight": fly,
    "speed": measure_speed,
}
