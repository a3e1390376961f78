import { isIP } from 'node:net'
import { OptionsError } from '@oncekey/core'
import type { AddressGuard } from '../dialing/address-guard.ts'
import { isLocalhost } from '../dialing/resolve-name.ts'

/**
 * Parses a customer's URL as the dialler will: the WHATWG parser turns `0x7f.1`, `2130706433` and
 * full-width digits into the address they stand for. Throws an `OptionsError` for a URL that can
 * never be delivered to, and `address-forbidden` for a forbidden address.
 *
 * Names are not resolved here, because their addresses are checked whenever they are dialled.
 */
export function parseEndpointUrl(
  text: string,
  { guard, allowHttp }: { readonly guard: AddressGuard; readonly allowHttp: boolean },
): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw new OptionsError(`"${text}" is not a URL.`)
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) {
    throw new OptionsError(`An endpoint's URL begins with https://, unlike "${url.protocol}//".`)
  }
  if (url.username || url.password) {
    throw new OptionsError("An endpoint's URL has no user name or password: sign with a secret.")
  }
  if (url.href.length > LONGEST) {
    throw new OptionsError(`An endpoint's URL has at most ${LONGEST} characters.`)
  }
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(hostname)) guard(hostname)
  if (isLocalhost(hostname)) guard('127.0.0.1')
  url.hash = ''
  return url
}

const LONGEST = 2_048
