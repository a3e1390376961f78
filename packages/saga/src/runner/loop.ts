import { sleep } from '@oncekey/core'
import type { RunnerState } from '../state/runner-state.ts'
import { reportError } from '../telemetry/channels.ts'
import { mendDueTimes } from './mend-due-times.ts'
import { takeDue } from './poll.ts'
import { tellUnknown } from './tell-unknown.ts'

export interface Loop {
  /** Makes the loop poll at once. */
  wake(): void
  /** Claims nothing more. Resolves when the last poll has ended. */
  stop(): Promise<void>
}

/**
 * Polls for due runs until it is stopped. At the concurrency limit it waits until this process is
 * done with a run. Otherwise it sleeps until the next poll, for a random time around `pollMs`, so
 * that processes do not poll at the same time.
 */
export function startLoop<Tx>(runner: RunnerState<Tx>): Loop {
  const stopping = new AbortController()
  const mine = new Set<Promise<void>>()
  let waking = new AbortController()
  const running = run()

  return {
    wake: () => waking.abort(),
    async stop() {
      stopping.abort()
      waking.abort()
      await running
    },
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let found = 0
      try {
        found = await look()
        await mendDueTimes(runner)
        await tellUnknown(runner)
      } catch (error) {
        reportError({ error, during: 'poll' })
      }
      if (stopping.signal.aborted) return
      if (mine.size >= runner.concurrency) await Promise.race(mine)
      else if (found === 0) await untilNextLook()
    }
  }

  async function look(): Promise<number> {
    const free = runner.concurrency - mine.size
    if (free <= 0) return 0
    const driven = await takeDue(runner, free)
    for (const each of driven) {
      const done = each.finally(() => mine.delete(done))
      mine.add(done)
    }
    return driven.length
  }

  async function untilNextLook(): Promise<void> {
    // Ended by `wake`, and by `stop`, too.
    waking = new AbortController()
    await sleep(runner.pollMs * (0.5 + Math.random()), waking.signal)
  }
}
