import { type Sent, startNode, startProxy, waitFor } from '@oncekey/test-servers'
import type { WorkerOptions } from './programs/worker-options.ts'

/**
 * The place in the work on a schema at which the process is killed: a statement, or the answer to
 * it, does not arrive.
 */
export interface WorkPlace {
  readonly schema: string
  readonly lost: 'statement' | 'answer'
  readonly statement: Sent
}

/**
 * Starts a process that works on a schema for each place, and kills it (SIGKILL) when all of them
 * have reached their place and `meanwhile` is over.
 */
export async function killWorker(
  databaseUrl: string,
  work: WorkerOptions['work'],
  places: readonly WorkPlace[],
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<void> {
  const wire = await startProxy(Number(new URL(databaseUrl).port))
  const there = new Set<string>()
  for (const { schema, lost, statement } of places) {
    const held = lost === 'statement' ? wire.holdBefore(statement) : wire.holdAfter(statement)
    held.then(() => there.add(schema))
  }
  const options = {
    databaseUrl: wire.through(databaseUrl),
    work,
    schemas: places.map(({ schema }) => schema),
  } satisfies WorkerOptions
  const worker = await startNode(new URL('./programs/worker.ts', import.meta.url), {
    args: [JSON.stringify(options)],
    readyTimeoutMs: 100_000,
  })
  try {
    await waitFor(() => there.size === places.length, {
      what: 'the work on every schema to be where it should be',
      timeoutMs: 30_000,
    })
    await meanwhile()
  } catch (cause) {
    throw new Error(`Only these are where they should be: ${[...there]}\n${worker.output()}`, {
      cause,
    })
  } finally {
    worker.kill('SIGKILL')
    await worker.exited
    await wire.stop()
  }
}
