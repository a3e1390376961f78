import { setTimeout } from 'node:timers/promises'
import { monotonicMs } from '../clock.ts'
import { type Load, openLoop } from '../load.ts'
import type { Queue } from '../queues/queue.ts'
import { type QueueName, queues } from '../queues/queues.ts'
import { answer } from '../verbs.ts'

let queue: Queue
let isSlow = (_n: number): boolean => false
const asked: number[] = []
const committed: number[] = []
const entered: number[] = []

/** A process that takes requests, jobs, or both. */
const verbs = {
  open(name: QueueName, url: string, concurrency: number): void {
    queue = queues[name]({ url, concurrency })
  },

  prepare: (): Promise<void> => queue.prepare(),

  consume(): Promise<void> {
    return queue.start((n) => {
      entered[n] ??= monotonicMs()
      return isSlow(n) ? setTimeout(SLOW_MS) : undefined
    })
  },

  /** How many of a hundred jobs take long. */
  slow(percent: number): void {
    isSlow = (n) => n % 100 < percent
  },

  /**
   * Sends requests at a fixed rate, with jobs from number `from` on. Returns how many, and their
   * results.
   */
  send({ from, perSecond, seconds }: SendOptions): Promise<Load> {
    return openLoop({ perSecond, until: setTimeout(seconds * 1_000) }, async (index) => {
      const n = from + index
      asked[n] = monotonicMs()
      await queue.request(n)
      committed[n] = monotonicMs()
    })
  },

  /** When each request was sent, and when its commit was confirmed. */
  sent(from: number, to: number): { asked: number[]; committed: number[] } {
    return { asked: asked.slice(from, to), committed: committed.slice(from, to) }
  },

  /** When each job reached the handler; jobs that have not reached it are missing. */
  entered(from: number, to: number): number[] {
    return entered.slice(from, to).filter((at) => at !== undefined)
  },

  pending: (): Promise<number> => queue.pending(),

  stop: (): Promise<void> => queue.stop(),
}

export interface SendOptions {
  readonly from: number
  readonly perSecond: number
  readonly seconds: number
}

export type LatencyApp = typeof verbs

const SLOW_MS = 2_000

answer(verbs)
