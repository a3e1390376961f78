import { createHook } from 'node:async_hooks'
import { Session } from 'node:inspector/promises'

/** Where objects were made: the functions on the stack, the innermost first. */
export interface Allocation {
  readonly stack: readonly Frame[]
  readonly objects: number
  readonly bytes: number
}

export interface Frame {
  readonly name: string
  readonly script: string
  /** From 0. */
  readonly line: number
}

/** Every object that V8 makes during `work`, by the stack that made it. Exact. */
export async function allocationsOf(work: () => Promise<void>): Promise<Allocation[]> {
  const session = new Session()
  session.connect()
  const chunks: string[] = []
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => chunks.push(params.chunk))
  await session.post('HeapProfiler.enable')
  await session.post('HeapProfiler.startTrackingHeapObjects', { trackAllocations: true })
  await work()
  await session.post('HeapProfiler.stopTrackingHeapObjects', { reportProgress: false })
  session.disconnect()
  return allocationsIn(JSON.parse(chunks.join('')))
}

interface Snapshot {
  readonly snapshot: { readonly meta: { readonly trace_function_info_fields: readonly string[] } }
  readonly trace_function_infos: readonly number[]
  readonly trace_tree: readonly unknown[]
  readonly strings: readonly string[]
}

function allocationsIn({ snapshot, trace_function_infos, trace_tree, strings }: Snapshot) {
  const fields = snapshot.meta.trace_function_info_fields
  const at = (row: number, field: string): number =>
    trace_function_infos[row * fields.length + fields.indexOf(field)] ?? 0
  const allocations: Allocation[] = []

  /** The tree is a list of id, function, count, size and children for each node. */
  function walk(nodes: readonly unknown[], callers: readonly Frame[]): void {
    for (let index = 0; index < nodes.length; index += 5) {
      const [, row, objects, bytes, children] = nodes.slice(index, index + 5)
      const frame = {
        name: strings[at(row as number, 'name')] ?? '',
        script: strings[at(row as number, 'script_name')] ?? '',
        line: at(row as number, 'line'),
      }
      const stack = [frame, ...callers]
      if (objects) {
        allocations.push({ stack, objects: objects as number, bytes: bytes as number })
      }
      walk(children as unknown[], stack)
    }
  }
  walk(trace_tree, [])
  return allocations
}

/** How many promises, ticks and other asynchronous resources are made during `work`, by type. */
export async function asyncResourcesOf(work: () => Promise<void>): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  const hook = createHook({
    init: (_id, type) => void counts.set(type, (counts.get(type) ?? 0) + 1),
  })
  hook.enable()
  await work()
  hook.disable()
  return counts
}
