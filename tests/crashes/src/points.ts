import { randomUUID } from 'node:crypto'

/** Where a request is when its process is killed; in the order in which it comes by. */
export const POINTS = [
  /** The claim has reached the database, and its answer has not reached the process. */
  'claim unanswered',
  /** The handler's first line. */
  'claimed',
  /** The first of the handler's two writes is made. */
  'written',
  /** The completing statement has left the process and not reached the database. */
  'completing',
  /** It was carried out and committed, and the process has not heard of it. */
  'commit unanswered',
  /** The process knows, and has sent nothing of the response. */
  'committed',
  /** The client has a part of the response. */
  'flushing',
] as const
export type Point = (typeof POINTS)[number]

/** A key by which a process knows where to stop: nothing else of a request tells the first from its retry. */
export function keyFor(point: Point): string {
  return `${point}/${randomUUID()}`
}

export function pointOf(key: string): string | undefined {
  return key.split('/')[0]
}
