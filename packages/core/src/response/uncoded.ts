import type { HeaderChange, PlainResponse } from '../contracts/stored-response.ts'
import { decode } from './decode.ts'

/** The one content coding of a response; `undefined` where it has none, or several. */
export function codingOf({ headers }: Pick<PlainResponse, 'headers'>): string | undefined {
  let coding: string | undefined
  for (const [name, value] of headers) {
    if (value === null || name.toLowerCase() !== 'content-encoding') continue
    if (coding !== undefined || value.includes(',')) return undefined
    coding = value.trim().toLowerCase()
  }
  return coding === '' || coding === 'identity' ? undefined : coding
}

/**
 * Removes the content coding of a response. The result is another representation: digests of the
 * coded bytes are dropped, a strong validator becomes a weak one (RFC 9110 section 8.8.3.3), and
 * `Vary` tells caches what made the difference.
 *
 * `undefined` where the body cannot be decoded, `too-large` where the result is over `maxBytes`.
 */
export async function uncoded(
  response: PlainResponse,
  coding: string,
  maxBytes: number,
): Promise<PlainResponse | 'too-large' | undefined> {
  // A range of the coded bytes is no range of the decoded ones.
  if (response.status === 206) return undefined
  const body = await decode(coding, response.body, maxBytes)
  if (body === undefined || body === 'too-large') return body
  const headers = response.headers.filter(([name]) => !OF_CODED_BYTES.has(name.toLowerCase()))
  return {
    ...response,
    headers: [...headers.map(weakened), ['content-encoding', null], ...varying(headers)],
    body,
  }
}

/** Digests of the coded bytes: RFC 9530, its predecessor RFC 3230, RFC 1864. */
const OF_CODED_BYTES = new Set([
  'content-encoding',
  'content-digest',
  'repr-digest',
  'digest',
  'content-md5',
  'content-length',
])

function weakened(change: HeaderChange): HeaderChange {
  const [name, value] = change
  if (value === null || name.toLowerCase() !== 'etag' || !value.startsWith('"')) return change
  return [name, `W/${value}`]
}

function varying(headers: readonly HeaderChange[]): readonly HeaderChange[] {
  const varies = headers.flatMap(([name, value]) =>
    name.toLowerCase() === 'vary' && value !== null ? value.toLowerCase().split(',') : [],
  )
  const isSaid = varies.some((name) => ['*', 'accept-encoding'].includes(name.trim()))
  return isSaid ? [] : [['vary', 'Accept-Encoding', 'added']]
}
