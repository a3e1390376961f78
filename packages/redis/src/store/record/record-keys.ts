import { hash } from 'node:crypto'

/** The keys of a record and of what belongs to it. */
export interface RecordKeys {
  /** The record's name without its prefix. It is the message that waiting processes get. */
  readonly id: string
  /** A hash: see `scripts/claim.ts`. */
  readonly record: string
  /** A string: the stored response, kept for less time than the record. */
  readonly result: string
  /** The stream of the partition. */
  readonly outbox: string
  /** The stream of the partition's audit: operators' acts on its keys. */
  readonly operations: string
}

/**
 * Names everything about one key. All names share one hash tag, `{p}`, so that Redis Cluster keeps
 * them on one node and one script may touch them all.
 *
 * The names contain the lengths of their parts, so that ('ab', 'c') and ('a', 'bc') differ. They
 * stay readable: `SCAN` finds all records of a customer, and a record can be found by what a client
 * sent.
 */
export function recordKeys(of: {
  readonly namespace: string
  readonly scope: string
  readonly key: string
}): RecordKeys {
  const { namespace, scope, key } = of
  const id = `${namespace.length}:${scope.length}:${namespace}:${scope}:${key}`
  const partition = partitionOf(id)
  return {
    id,
    record: `${partition}key:${id}`,
    result: `${partition}result:${id}`,
    outbox: `${partition}outbox`,
    operations: `${partition}operations`,
  }
}

/**
 * The key of the mark that a claim with this token wins nothing: it was given back, or its attempt
 * was released or abandoned. It is on the node of the record.
 */
export function givenBackKey({ record }: RecordKeys, token: string): string {
  return `${record.slice(0, record.indexOf('}:') + 2)}given-back:${token}`
}

/** A Lua pattern that finds the id in a record's name, whatever prefix a client adds. */
export const ID_IN_RECORD_KEY = 'oncekey:{%d+}:key:(.*)'

/**
 * Keys of an attempt without a record: the stream for its events, and the mark that they were
 * appended.
 */
export function openAttemptKeys(
  orderingKey: string,
  token: string,
): { readonly appended: string; readonly outbox: string } {
  const partition = partitionOf(orderingKey)
  return { appended: `${partition}appended:${token}`, outbox: `${partition}outbox` }
}

/** The number of partitions, and so of streams. It is the same in every release. */
const PARTITIONS = 64

/** The audit streams of all partitions, in the order of the partitions. */
export const operationStreams: readonly string[] = Array.from(
  { length: PARTITIONS },
  (_, partition) => `oncekey:{${partition}}:operations`,
)

function partitionOf(text: string): string {
  // The hash is taken as hex text although only one byte is needed: a Buffer would cost three times
  // as much as the hash itself.
  const firstByte = Number.parseInt(hash('sha256', text, 'hex').slice(0, 2), 16)
  return `oncekey:{${firstByte % PARTITIONS}}:`
}
