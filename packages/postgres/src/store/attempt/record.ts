import type { Claim, Decision, HeaderChange, StoredResponse } from '@oncekey/core'
import type { RecordJson } from '../statements/records.ts'

/** The decision that a record leads to. */
export function decisionOf(record: RecordJson, claim: Claim): Decision<never> {
  const { fingerprint } = record
  if (!claim.fingerprints.includes(fingerprint)) return { kind: 'mismatch' }
  const response = responseOf(record)
  return response === undefined
    ? { kind: 'result-gone' }
    : { kind: 'replay', response, fingerprint }
}

function responseOf({ status, headers, body, seal }: RecordJson): StoredResponse | undefined {
  if (body === null || headers === null) return undefined
  return {
    status,
    headers: JSON.parse(headers) as HeaderChange[],
    body: Buffer.from(body, 'hex'),
    seal,
  }
}
