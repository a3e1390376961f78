import {
  type Claim,
  createInsistence,
  NOT_GIVEN_BACK,
  type Tries,
  warnOfFailure,
} from '@oncekey/core'
import type { ClaimKey } from '../../sql/claim-key.ts'
import { isPoolEnded } from '../../sql/never-sent.ts'
import { askReadCommitted } from '../../sql/read-committed.ts'
import { sqlState } from '../../sql/sql-state.ts'
import { SERIALIZATION_FAILURE } from '../../sql/when-serialized.ts'
import type { StoreState } from '../attempt/store-state.ts'
import { type ClaimGivenBack, MOST_GIVEN_BACK } from '../statements/leases.ts'

/**
 * Undoes a claim whose handler will not run. Resolves after the first try. Further tries follow in
 * the background until one succeeds, because a server that did not reply may still carry the claim
 * out when it is back.
 */
export interface GiveBack {
  (claim: Claim, key: ClaimKey): Promise<void>
  /** Waits until every claim is given back; resolves to how many are not after `withinMs`. */
  settled(withinMs: number): Promise<number>
}

export function givingBack<Tx>(
  store: Pick<StoreState<Tx>, 'acquireTimeoutMs' | 'client' | 'statements'>,
  own: ReadonlyMap<string, unknown>,
): GiveBack {
  const { acquireTimeoutMs: timeoutMs, client, statements } = store
  const insist = createInsistence<ClaimGivenBack>({
    attempt: giveBack,
    isHopeless: isPoolEnded,
    mostAtOnce: MOST_GIVEN_BACK,
    gaveUp: () => warnOfFailure('postgres-give-back', NOT_GIVEN_BACK),
  })

  async function undo(
    { namespace, scope, key: name, token, leaseMs }: Claim,
    { lock }: ClaimKey,
  ): Promise<void> {
    const claim = { lock, namespace, scope, key: name, token }
    await insist(token, claim, Math.max(leaseMs, LEAST_MS))
  }

  return Object.assign(undo, { settled: insist.settled })

  async function giveBack(claims: ReadonlyMap<string, ClaimGivenBack>): Promise<Tries> {
    // The same claim may have been sent twice at once, and the other call may have got its reply.
    const running = [...claims.keys()].filter((token) => own.has(token))
    const over = [...claims.values()].filter(({ token }) => !own.has(token))
    if (over.length === 0) return { done: running }
    const statement = statements.giveBackAttempts(over)
    const [row] = await client.query(statement, { timeoutMs }).catch((error) => {
      if (sqlState(error) !== SERIALIZATION_FAILURE) throw error
      return askReadCommitted(client, statement, { timeoutMs })
    })
    return { done: [...running, ...(JSON.parse(row?.given ?? '') as string[])] }
  }
}

/**
 * How long to try at least, even if leases are shorter: an hour. A claim that was sent to an
 * unreachable server can take effect once the server is back. With `whenUnknown: 'hold'` it would
 * then keep the key until an operator frees it.
 */
const LEAST_MS = 3_600_000
