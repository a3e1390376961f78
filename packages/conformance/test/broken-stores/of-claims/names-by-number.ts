import { randomUUID } from 'node:crypto'
import type { Claim, Store } from '@oncekey/core'
import type { BrokenStore } from '../broken-store.ts'
import { plainFixture } from '../plain-fixture.ts'

/** After a release the next attempt is number 1 again, and taken for the one before. */
export const namesByNumber: BrokenStore = {
  fault: 'names an attempt by its number alone',
  modes: ['lease'],
  create: (mode) => {
    const fixture = plainFixture(mode)
    return { ...fixture, store: numbered(fixture.store) }
  },
  caughtBy: [
    'an unknown outcome: has a name that no attempt has after a release, when the numbers begin again',
  ],
}

function numbered<Tx>(store: Store<Tx>): Store<Tx> {
  async function nameNow({ retakes, ...claim }: Claim): Promise<string | undefined> {
    if (retakes === undefined) return undefined
    const held = await store.begin({ ...claim, token: randomUUID(), whenUnknown: 'hold' })
    if (held.kind === 'run') await held.attempt.release()
    const isMeant = held.kind === 'unknown' && held.attempt.startsWith(`${retakes}.`)
    return isMeant ? held.attempt : retakes
  }

  return {
    ...store,
    async begin(claim) {
      const decision = await store.begin({ ...claim, retakes: await nameNow(claim) })
      if (decision.kind !== 'unknown') return decision
      return { ...decision, attempt: decision.attempt.split('.')[0] ?? '' }
    },
  }
}
