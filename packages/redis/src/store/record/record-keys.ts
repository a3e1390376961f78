import { hash } from 'node:crypto'

/** Where a record and what belongs to it are kept. */
export interface RecordKeys {
  /** The record's name, without what is around it: what a waiting process is told. */
  readonly id: string
  /** A hash: see `scripts/claim.ts`. */
  readonly record: string
  /** A string: the stored response, kept for less time than the record. */
  readonly result: string
  /** The stream of the partition. */
  readonly outbox: string
  /** The stream of the partition's audit: acts of operators on its keys. */
  readonly operations: string
}

/**
 * The names of everything about one key. They carry one hash tag, `{p}`, so that Redis Cluster keeps
 * them on one node and one script may touch them all.
 *
 * The lengths keep ('ab', 'c') and ('a', 'bc') apart, and leave the names readable: all of a
 * customer's records are found by `SCAN`, and a record can be looked at with what a client sent.
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

/** Finds the id in a record's name, whatever a client puts before it: a pattern of Lua. */
export const ID_IN_RECORD_KEY = 'oncekey:{%d+}:key:(.*)'

/** Where the events of an attempt without a record go. */
export function openAttemptKeys(
  orderingKey: string,
  token: string,
): { readonly appended: string; readonly outbox: string } {
  const partition = partitionOf(orderingKey)
  return { appended: `${partition}appended:${token}`, outbox: `${partition}outbox` }
}

/** The number of partitions, and with it of streams. The same in every release. */
const PARTITIONS = 64

/** The audits of all partitions, in their order. */
export const operationStreams: readonly string[] = Array.from(
  { length: PARTITIONS },
  (_, partition) => `oncekey:{${partition}}:operations`,
)

function partitionOf(text: string): string {
  // As text, though a byte is read: a Buffer of its own costs three times the hash.
  const firstByte = Number.parseInt(hash('sha256', text, 'hex').slice(0, 2), 16)
  return `oncekey:{${firstByte % PARTITIONS}}:`
}
