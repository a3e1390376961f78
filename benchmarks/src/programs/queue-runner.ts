import { monotonicMs } from '../clock.ts'
import type { Queue } from '../queues/queue.ts'
import { type QueueName, queues } from '../queues/queues.ts'
import { answer, cpuMicros } from '../verbs.ts'

let queue: Queue
let handled = new Uint32Array(0)
let total = 0
let lastAt = 0

const verbs = {
  async open(name: QueueName, url: string, concurrency: number): Promise<void> {
    queue = queues[name]({ url, concurrency })
    await queue.prepare()
  },

  async fill(jobs: number): Promise<void> {
    handled = new Uint32Array(jobs)
    total = 0
    await queue.fill(jobs)
  },

  /** Starts to deliver jobs, and returns the time of the start. */
  async start(): Promise<number> {
    const startedAt = monotonicMs()
    await queue.start((n) => {
      handled[n] = (handled[n] ?? 0) + 1
      total += 1
      lastAt = monotonicMs()
      return undefined
    })
    return startedAt
  },

  progress(): { total: number; lastAt: number } {
    return { total, lastAt }
  },

  /** How often each job was handled. */
  times: (): number[] => [...handled],

  pending: (): Promise<number> => queue.pending(),

  stop: (): Promise<void> => queue.stop(),

  cpuMicros,
}

export type QueueRunner = typeof verbs

answer(verbs)
