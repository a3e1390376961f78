import {
  type FingerprintInput,
  fingerprint,
  type RequestBody,
} from '../../src/request/fingerprint.ts'

export const bytes = (text: string): RequestBody => ({
  kind: 'bytes',
  bytes: new TextEncoder().encode(text),
})

export const parsed = (value: unknown): RequestBody => ({ kind: 'parsed', value })
export const chosen = (value: unknown): RequestBody => ({ kind: 'chosen', value })

export function of(body: RequestBody, differently: Partial<FingerprintInput> = {}): string {
  return fingerprint({
    method: 'POST',
    target: '/orders',
    contentType: 'application/json',
    body,
    ...differently,
  })
}

export const tagOf = (print: string) => print.slice(0, print.indexOf(':'))
