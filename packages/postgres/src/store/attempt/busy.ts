import { OncekeyError } from '@oncekey/core'

export function busy(maxConcurrent: number, timeoutMs: number): OncekeyError {
  return new OncekeyError(
    'store-busy',
    `${maxConcurrent} requests are running (maxConcurrent), and none ended within ${timeoutMs} ms.`,
  )
}
