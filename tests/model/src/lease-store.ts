import { type Attempt, memoryStore, OncekeyError, type Store } from '@oncekey/core'
import { turn, type World } from './world.ts'

/**
 * How the store is fenced.
 *
 * - `fenced`: as the Postgres store in lease mode. The row is locked from the first use of the
 *   transaction on, no claim takes a locked row, and a completion without the attempt raises an
 *   error, so that the COMMIT behind it fails
 * - `completion-only`: no lock; a completion that finds nothing to update is not an error, and the
 *   COMMIT sent with it commits the writes of a worker that had lost its lease
 * - `unfenced`: no lock, and a completion that does not check whose attempt it is
 */
export type Fencing = 'fenced' | 'completion-only' | 'unfenced'

/** The interface through which a handler writes. */
export interface Writes {
  write(): Promise<void>
}

/** A lease store as one actor sees it: every statement is a step of its own, including COMMIT. */
export function leaseStore(world: World, actor: number, fencing: Fencing): Store<Writes> {
  const { row } = world
  // No operator acts in the model, so these stay empty.
  const { keys, operations } = memoryStore({ mode: 'lease' })

  return {
    capabilities: { name: 'simulated', mode: 'lease', transactions: true, concurrency: 'many' },

    async begin(claim) {
      await turn(world, actor, 'claim')
      if (row.state === 'done') {
        const body = new TextEncoder().encode(row.body)
        const response = { status: 201, headers: [], body, seal: null }
        return { kind: 'replay', response, fingerprint: claim.fingerprints[0] }
      }
      const isTaken = row.state === 'running' && !row.leaseRanOut
      if (isTaken || row.lockedBy !== undefined) return { kind: 'in-progress', retryAfterMs: 1_000 }
      const isUnknown = row.state !== 'absent'
      const attempt = String(row.number)
      if (isUnknown && (claim.whenUnknown === 'hold' || (claim.retakes ?? attempt) !== attempt)) {
        return { kind: 'unknown', attempt, since: new Date(0) }
      }
      Object.assign(row, { state: 'running', owner: actor, leaseRanOut: false })
      row.number++
      return { kind: 'run', attempt: attemptOf(row.number) }
    },

    async open() {
      throw new Error('Every request of the model has a key.')
    },

    keys,
    operations,
  }

  function attemptOf(number: number): Attempt<Writes> {
    let hasTransaction = false
    let hasWritten = false
    const isMine = (): boolean =>
      row.state === 'running' && row.owner === actor && row.number === number

    const unlock = (): void => {
      if (row.lockedBy === actor) row.lockedBy = undefined
    }

    const end = async (state: 'absent' | 'unknown'): Promise<void> => {
      await turn(world, actor, 'give up')
      unlock()
      if (isMine()) Object.assign(row, { state, owner: undefined })
    }

    return {
      number,

      async transaction() {
        if (!hasTransaction) {
          await turn(world, actor, 'begin transaction')
          if (fencing === 'fenced') {
            if (!isMine()) throw new OncekeyError('attempt-over', 'The lease is lost.')
            row.lockedBy = actor
          }
          hasTransaction = true
        }
        return {
          async write() {
            await turn(world, actor, 'write')
            hasWritten = true
          },
        }
      },

      async complete({ response }) {
        await turn(world, actor, 'complete')
        const holds = isMine() || fencing === 'unfenced'
        if (!holds && fencing === 'fenced') {
          unlock()
          return 'superseded'
        }
        // The row that an UPDATE has found is locked until the end.
        if (holds) row.lockedBy = actor
        await turn(world, actor, 'commit')
        if (hasWritten) world.committed.push(actor)
        unlock()
        if (!holds) return 'superseded'
        world.events.push(actor)
        row.state = 'done'
        row.body = new TextDecoder().decode(response.body ?? undefined)
        return 'stored'
      },

      release: () => end('absent'),
      abandon: () => end('unknown'),
      async renew() {
        return isMine() ? 'held' : 'stale'
      },
    }
  }
}
