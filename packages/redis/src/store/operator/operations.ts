import {
  checkPageLimit,
  type Operation,
  type OperationFilter,
  type Operations,
  OptionsError,
  rowsToRead,
} from '@oncekey/core'
import type { ScriptRunner } from '../../client/run-script.ts'
import { storeError } from '../../client/store-error.ts'
import { operationStreams, recordKeys } from '../record/record-keys.ts'
import { listOperationsScript, type StreamEntry } from './list-operations.ts'

/** Where an entry is in the order of the entries of all partitions. */
interface Place {
  readonly ms: number
  readonly number: number
  readonly partition: number
}

interface Entry extends Place {
  readonly entry: StreamEntry
}

/**
 * The audit in Redis. Each partition has its own stream, because an act and its entry are one
 * script, which can touch only one node. A list reads a bounded part of each stream and merges the
 * parts. All acts on one key are in one stream. A store and its log share the streams.
 */
export function redisOperations(scripts: ScriptRunner): Operations {
  return {
    async list(filter, { limit, after }) {
      checkPageLimit('operations.list', limit)
      const before = after === undefined ? undefined : placeIn(after)
      const { actor, act, target } = filter
      const isFiltered = [actor, act, target].some((wanted) => wanted !== undefined)
      const count = isFiltered ? rowsToRead(limit) : limit
      const parts = await Promise.all(
        streamsOf(filter).map(([stream, partition]) =>
          read(stream, partition, filter, before, count),
        ),
      )
      // If a part was cut off, entries that it lacks may come before entries of other parts that
      // are older than its last one. So the merged list ends there.
      const ends = parts.flatMap((part) => (part.length === count ? [part.at(-1) as Entry] : []))
      const floor = ends.sort(newestFirst)[0]
      const inOrder = parts
        .flat()
        .sort(newestFirst)
        .filter((each) => floor === undefined || newestFirst(each, floor) <= 0)
      const meant = inOrder.filter(({ entry }) => isMeant(filter, entry))
      const items = meant.slice(0, limit)
      const last = meant.length > limit ? items.at(-1) : floor
      return { items: items.map(operationOf), next: last && tokenOf(last) }
    },
  }

  async function read(
    stream: string,
    partition: number,
    { since, until }: OperationFilter,
    before: Place | undefined,
    count: number,
  ): Promise<Entry[]> {
    const from = fromOf(partition, before, until)
    const to = since === undefined ? '-' : String(Math.max(0, since.getTime()))
    try {
      const question = { stream, from, to, count }
      const entries = await scripts.run(listOperationsScript, question)
      return entries.map((entry) => ({ entry, partition, ...partsOf(entry.id) }))
    } catch (error) {
      throw storeError('store-unavailable', error)
    }
  }
}

/**
 * A filter by a key needs only the stream that has the acts on that key; any other filter needs
 * every stream.
 */
function streamsOf({ target }: OperationFilter): readonly (readonly [string, number])[] {
  const all = operationStreams.map((stream, partition) => [stream, partition] as const)
  if (target === undefined) return all
  const [kind, namespace, scope, key] = namesIn(target)
  if (kind !== 'key' || key === undefined) return all
  const { operations } = recordKeys({ namespace: namespace ?? '', scope: scope ?? '', key })
  return all.filter(([stream]) => stream === operations)
}

function namesIn(target: string): readonly string[] {
  try {
    const names: unknown = JSON.parse(target)
    return Array.isArray(names) ? names.map(String) : []
  } catch {
    // The target is not that of a key, so it is compared as plain text.
    return []
  }
}

/** Where reading a stream starts: behind the end of the page before, and not after `until`. */
function fromOf(partition: number, before: Place | undefined, until: Date | undefined): string {
  const latest = until === undefined ? Number.POSITIVE_INFINITY : until.getTime()
  if (before === undefined || latest < before.ms) {
    return Number.isFinite(latest) ? String(Math.max(0, latest)) : '+'
  }
  const id = `${before.ms}-${before.number}`
  return partition < before.partition ? id : `(${id}`
}

function newestFirst(one: Place, other: Place): number {
  return other.ms - one.ms || other.number - one.number || other.partition - one.partition
}

function isMeant({ actor, act, target }: OperationFilter, { fields }: StreamEntry): boolean {
  return (
    (actor === undefined || fields.actor === actor) &&
    (act === undefined || fields.act === act) &&
    (target === undefined || fields.target === target)
  )
}

function operationOf({ entry, ...place }: Entry): Operation {
  const { act = '', actor = '', target = '', note = '', detail = '{}', fingerprint } = entry.fields
  return {
    id: tokenOf(place),
    at: new Date(place.ms),
    actor,
    act,
    target,
    note,
    detail: { ...(fingerprint !== undefined && { fingerprint }), ...JSON.parse(detail) },
  }
}

function tokenOf({ ms, number, partition }: Place): string {
  return `${ms}-${number}.${partition}`
}

function placeIn(token: string): Place {
  const [, id, partition] = /^(\d{1,15}-\d{1,10})\.(\d{1,2})$/.exec(token) ?? []
  if (id !== undefined) return { ...partsOf(id), partition: Number(partition) }
  throw new OptionsError('operations.list: `after` must be the `next` of a page of the same list.')
}

function partsOf(id: string): { readonly ms: number; readonly number: number } {
  const [ms, number] = id.split('-').map(Number)
  return { ms: ms ?? 0, number: number ?? 0 }
}
