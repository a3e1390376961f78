/**
 * A library that stores jobs in Postgres and does them later: Oncekey or a peer, in its fast
 * configuration.
 */
export interface Queue {
  /** Creates what it needs in an empty database. */
  prepare(): Promise<void>
  /** Adds jobs 0 to `count` - 1 to a queue that was emptied before. */
  fill(count: number): Promise<void>
  /** The work of a request: inserts an order and adds job `n` in one commit. */
  request(n: number): Promise<void>
  /** Delivers jobs until it is stopped. If `handle` returns a promise, the queue awaits it. */
  start(handle: Handle): Promise<void>
  /** The number of jobs that are not done. */
  pending(): Promise<number>
  stop(): Promise<void>
}

/** Gets the number of a job. */
export type Handle = (n: number) => Promise<void> | undefined

export interface QueueOptions {
  readonly url: string
  /** How many jobs are under way at once. */
  readonly concurrency: number
}

/** The data of a job. */
export interface JobData {
  readonly n: number
}

/** Connections of each process. */
export const POOL_SIZE = 20
