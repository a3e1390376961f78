/**
 * Work that is written down in Postgres and done later: ours or a peer's, in its fast
 * configuration.
 */
export interface Queue {
  /** Makes what it needs, in a database that has none of it. */
  prepare(): Promise<void>
  /** Adds jobs 0 to `count` - 1 to what was emptied before. */
  fill(count: number): Promise<void>
  /** What a request does: inserts an order and adds job `n`, one commit. */
  request(n: number): Promise<void>
  /** Hands out jobs until it is stopped. A promise of `handle` is waited for. */
  start(handle: Handle): Promise<void>
  /** Jobs that are not settled. */
  pending(): Promise<number>
  stop(): Promise<void>
}

/** Given the number of a job. */
export type Handle = (n: number) => Promise<void> | undefined

export interface QueueOptions {
  readonly url: string
  /** How many jobs are under way at once. */
  readonly concurrency: number
}

/** What a job carries. */
export interface JobData {
  readonly n: number
}

/** Connections of each process. */
export const POOL_SIZE = 20
