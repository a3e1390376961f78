import { type Random, randomOf } from '../random.ts'

/**
 * The operations that produce events:
 *
 * - `plain`: one event in a transaction
 * - `many`: several events of one key in a transaction
 * - `bulk`: dozens of events of several keys in a transaction, as an import writes them
 * - `append`: through the log, without a transaction of its own
 * - `rollback`: a transaction that is undone after it has emitted
 * - `long`: a transaction that stays open while others commit
 * - `savepoint`: one event undone by a savepoint, one kept in a subtransaction
 * - `big`: an event nearly as large as is allowed
 */
export type OperationKind =
  | 'plain'
  | 'many'
  | 'bulk'
  | 'append'
  | 'rollback'
  | 'long'
  | 'savepoint'
  | 'big'

export interface Operation {
  readonly kind: OperationKind
  readonly type: string
  /**
   * The ordering keys, which its events use in turn: all different, in the order in which they are
   * locked.
   */
  readonly keys: readonly string[]
  readonly events: number
  readonly takesMs: number
  readonly bytes: number
}

/** The operation with this number, which depends only on the seed. */
export function operationOf(seed: string, number: number): Operation {
  const random = randomOf(seed, 'operation', number)
  const kind = random.oneOf(KINDS)
  return {
    kind,
    type: kind === 'big' ? 'order.shipped' : random.oneOf(TYPES),
    keys: keysOf(kind, random),
    events: eventsOf(kind, random),
    takesMs: kind === 'long' ? random.between(100, 2_500) : 0,
    bytes: kind === 'big' && random.percent(20) ? 2_000_000 : random.between(0, 300),
  }
}

function keysOf(kind: OperationKind, random: Random): string[] {
  const keys = Array.from({ length: kind === 'bulk' ? 8 : 1 }, () => random.between(1, KEYS))
  return [...new Set(keys)].toSorted((one, other) => one - other).map((key) => `key-${key}`)
}

function eventsOf(kind: OperationKind, random: Random): number {
  if (kind === 'bulk') return random.between(20, 80)
  if (kind === 'rollback') return random.between(1, 20)
  return kind === 'many' ? random.between(2, 5) : 1
}

/** Few enough that several transactions want the same key. */
export const KEYS = 200

const TYPES = [
  ...Array<string>(5).fill('order.created'),
  ...Array<string>(5).fill('order.paid'),
  ...Array<string>(5).fill('order.shipped'),
  'order.returned',
]

const KINDS: readonly OperationKind[] = [
  ...Array<OperationKind>(14).fill('plain'),
  ...Array<OperationKind>(5).fill('many'),
  ...Array<OperationKind>(8).fill('bulk'),
  ...Array<OperationKind>(6).fill('append'),
  ...Array<OperationKind>(3).fill('rollback'),
  'long',
  ...Array<OperationKind>(3).fill('savepoint'),
  'big',
]
