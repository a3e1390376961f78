import { randomOf } from './random.ts'

/**
 * What a handler does with an order:
 *
 * - `plain`: writes, 201
 * - `slow`: writes, takes its time, 201
 * - `flaky`: writes and throws, on some attempts
 * - `refused`: writes and answers 403, which undoes it
 * - `declined`: answers 402 and keeps what it wrote
 */
export type OrderKind = 'plain' | 'slow' | 'flaky' | 'refused' | 'declined'

export interface Order {
  readonly number: number
  readonly key: string
  readonly kind: OrderKind
  readonly takesMs: number
  /** How many clients send it at once. */
  readonly copies: number
  /** Whether a client sends it again after it has its answer. */
  readonly again: boolean
  /** Whether somebody uses the key for another request afterwards. */
  readonly misused: boolean
}

/** The order with this number, which depends only on the seed. */
export function orderOf(seed: string, number: number): Order {
  const random = randomOf(seed, 'order', number)
  const kind = random.oneOf(KINDS)
  return {
    number,
    key: `${seed}-${number}`,
    kind,
    takesMs: kind === 'slow' ? random.between(20, 400) : 0,
    copies: random.percent(25) ? random.between(2, 4) : 1,
    again: random.percent(30),
    misused: random.percent(4),
  }
}

/** The effects and events that an order must have in the end, and the status of its answer. */
export function outcomeOf(kind: OrderKind): { readonly status: number; readonly effects: 0 | 1 } {
  if (kind === 'refused') return { status: 403, effects: 0 }
  if (kind === 'declined') return { status: 402, effects: 1 }
  return { status: 201, effects: 1 }
}

/** The request body of an order. */
export function bodyOf({ key, kind, takesMs }: Order, change = ''): string {
  return JSON.stringify({ order: `${key}${change}`, kind, takesMs })
}

const KINDS: readonly OrderKind[] = [
  ...Array<OrderKind>(14).fill('plain'),
  ...Array<OrderKind>(3).fill('slow'),
  'flaky',
  'refused',
  'declined',
]
