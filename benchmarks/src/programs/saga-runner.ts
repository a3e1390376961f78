import { setTimeout } from 'node:timers/promises'
import { monotonicMs } from '../clock.ts'
import { closedLoop, type Load, openLoop } from '../load.ts'
import { type SagaContender, STEPS } from '../sagas/saga-contender.ts'
import { type SagaName, sagas } from '../sagas/sagas.ts'
import { answer, cpuMicros } from '../verbs.ts'

let contender: SagaContender

const verbs = {
  async open(name: SagaName, url: string): Promise<void> {
    contender = await sagas[name](url)
  },

  /** Runs this many sagas from the first step to the last. */
  run(runs: number, concurrency: number): Promise<Load> {
    return closedLoop({ requests: runs, concurrency }, async () => {
      await contender.run(() => {})
    })
  },

  /**
   * Starts runs at a fixed rate, and returns how long each step took: from its beginning to that of
   * the next one, or to the end of the run. Milliseconds.
   */
  async paced(perSecond: number, seconds: number): Promise<number[]> {
    const steps: number[] = []
    await openLoop({ perSecond, until: setTimeout(seconds * 1_000) }, async () => {
      const began: number[] = []
      await contender.run(() => began.push(monotonicMs()))
      if (began.length !== STEPS) throw new Error(`${began.length} steps began in a run`)
      const endedAt = monotonicMs()
      for (const [at, from] of began.entries()) steps.push((began[at + 1] ?? endedAt) - from)
    })
    return steps
  },

  cpuMicros,

  close: (): Promise<void> => contender.close(),
}

export type SagaRunnerProgram = typeof verbs

answer(verbs)
