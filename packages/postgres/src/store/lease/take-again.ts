import type { Claim } from '@oncekey/core'
import type { ClaimKey } from '../../sql/claim-key.ts'
import { askReadCommitted } from '../../sql/read-committed.ts'
import { storeError } from '../../sql/store-error.ts'
import type { ClaimLeaseJson } from '../statements/leases.ts'
import type { LeaseState } from './lease-state.ts'

/**
 * Claims the key again for an attempt that the database says is not its owner; resolves to whether
 * it is now. A failover that has lost the attempt's takeover brings back the row of the attempt
 * that it took over, whose outcome is unknown.
 *
 * The claim has the token of the attempt. A token that was taken over, released, or ended by an
 * operator has a mark, and wins nothing.
 */
export async function takeAgain<Tx>(
  { acquireTimeoutMs: timeoutMs, client, schema, statements }: LeaseState<Tx>,
  claim: Claim,
  key: ClaimKey,
  number: number,
): Promise<boolean> {
  try {
    const [held] = await client.query(statements.heldBy(claim), { timeoutMs })
    // A row of its own is being taken over by a store in transaction mode at this moment.
    if (held !== undefined && (held.is_own === 'true' || Number(held.number) >= number))
      return false
    const again: Claim = { ...claim, whenUnknown: 'retake', retakes: undefined }
    const [row] = await askReadCommitted(client, statements.claimLease(again, key.lock), {
      timeoutMs,
    })
    const reply: ClaimLeaseJson = JSON.parse(row?.reply ?? '')
    if (reply.state !== 'run') return false
    if (reply.number <= number) return true
    // A later attempt came between the two questions, and its outcome is unknown, as before.
    await client.query(statements.abandonAttempt(claim, reply.number), { timeoutMs })
    return false
  } catch (error) {
    throw storeError(error, schema)
  }
}
