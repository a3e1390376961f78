import type { Attempt } from '@oncekey/core'
import type { Operation } from './histories.ts'

export interface Key {
  readonly state: 'free' | 'running' | 'finished'
  readonly request?: string
  readonly number: number
  /** The claim that owns the key. */
  readonly owner?: string | undefined
  readonly isLapsed?: boolean
  /** The owner has a transaction open. If that locks the row, a takeover has to wait for it. */
  readonly isLocked?: boolean
  readonly response?: string
}

export const FREE: Key = { state: 'free', number: 0 }

/** The possible answers of a key, each with the state after it. */
type Possible = readonly (readonly [answer: string, key: Key])[]

function claimed(key: Key, asked: Asked, mode: string): Possible {
  const { id, operation } = asked
  if (operation.kind !== 'claim') return []
  const { request, whenUnknown } = operation
  const number = key.number + 1
  const run = [`run ${number}`, { state: 'running', request, number, owner: id }] as const
  const busy = ['in-progress', key] as const

  if (key.state === 'free') return [run]
  const isOutOfSight = key.state === 'running' && mode === 'transaction'
  if (key.request !== request) return isOutOfSight ? [['mismatch', key], busy] : [['mismatch', key]]
  if (key.state === 'finished') return [[`replay ${key.response}`, key]]
  if (!key.isLapsed) return [busy]
  const taken = whenUnknown === 'hold' ? (['unknown', key] as const) : run
  return key.isLocked ? [taken, busy] : [taken]
}

function ended(key: Key, { id, by, operation }: Asked, mode: string): Possible {
  const isOwner = key.state === 'running' && by !== undefined && key.owner === by.id
  switch (operation.kind) {
    case 'complete':
    case 'refuse':
      if (!isOwner) return [['superseded', key]]
      return [['stored', { ...key, state: 'finished', owner: undefined, response: id }]]
    case 'release':
      return [['done', isOwner ? FREE : key]]
    case 'abandon': {
      const lapsed = { ...key, owner: undefined, isLapsed: true, isLocked: false }
      if (!isOwner) return [['done', key]]
      return [['done', mode === 'transaction' ? FREE : lapsed]]
    }
    case 'renew':
      return isOwner ? [['held', { ...key, isLapsed: false }]] : [['stale', key]]
    case 'write':
      if (isOwner) return [['written', { ...key, isLocked: true }]]
      // A stale attempt is refused, or accepted and never committed. After its own end it is always
      // refused.
      return by?.hasEnded
        ? [['refused', key]]
        : [
            ['refused', key],
            ['written', key],
          ]
    default:
      return []
  }
}

/**
 * The key after these operations in an order that explains their answers; undefined if there is
 * none.
 */
export function explain(key: Key, answered: readonly Answered[], mode: string): Key | undefined {
  if (answered.length === 0) return key
  for (const one of answered) {
    const others = answered.filter((other) => other !== one)
    const possible =
      one.operation.kind === 'claim' ? claimed(key, one, mode) : ended(key, one, mode)
    for (const [answer, next] of possible) {
      const last = answer === one.answer ? explain(next, others, mode) : undefined
      if (last !== undefined) return last
    }
  }
  return undefined
}

export interface Asked {
  readonly id: string
  readonly key: number
  readonly operation: Operation
  readonly by?: Won
}

export type Answered = Asked & { readonly answer: string }

export interface Won {
  readonly id: string
  readonly key: number
  readonly attempt: Attempt
  hasEnded: boolean
  readonly writes: string[]
}
