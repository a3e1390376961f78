import { randomUUID } from 'node:crypto'

/**
 * The points at which the process of a request is killed, in the order in which the request reaches
 * them.
 */
export const POINTS = [
  /** The claim has reached the database, and its answer has not reached the process. */
  'claim unanswered',
  /** The first line of the handler. */
  'claimed',
  /** The handler has made the first of its two writes. */
  'written',
  /** The completing statement has left the process and not reached the database. */
  'completing',
  /** The database has committed the completion, and the process does not know that yet. */
  'commit unanswered',
  /** The process knows of the commit, and has sent nothing of the response. */
  'committed',
  /** The client has a part of the response. */
  'flushing',
] as const
export type Point = (typeof POINTS)[number]

/**
 * A key that tells a process where to stop: nothing else distinguishes the first request from its
 * retry.
 */
export function keyFor(point: Point): string {
  return `${point}/${randomUUID()}`
}

export function pointOf(key: string): string | undefined {
  return key.split('/')[0]
}
