import { OptionsError } from '@oncekey/core'

/**
 * Checks the headers that an endpoint wants in addition to ours, and returns them under lower-case
 * names. Headers that frame, sign or route the request, or concern only a proxy, are refused.
 */
export function checkEndpointHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw new OptionsError("headers: write an object, such as { authorization: 'Bearer …' }.")
  }
  const checked = new Map<string, string>()
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase()
    if (!TOKEN.test(name)) throw new OptionsError(`headers: "${given}" is not a header name.`)
    if (RESERVED.test(name)) {
      throw new OptionsError(
        `headers: ${name} is set by every delivery itself and cannot be an endpoint's: leave it out.`,
      )
    }
    if (checked.has(name)) throw new OptionsError(`headers: ${name} is given twice.`)
    if (typeof value !== 'string' || !VALUE.test(value)) {
      throw new OptionsError(
        `headers: the value of ${name} must be printable ASCII, not empty, without a blank at either end.`,
      )
    }
    checked.set(name, value)
  }
  const size = [...checked].reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (checked.size > MOST || size > MOST_BYTES) {
    throw new OptionsError(`headers: at most ${MOST} headers with ${MOST_BYTES} bytes together.`)
  }
  return Object.fromEntries(checked)
}

const TOKEN = /^[!#$%&'*+.^_`|~\da-z-]+$/
const VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/
const RESERVED =
  /^(?:webhook-.*|content-.*|proxy-.*|host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|x-event-id|x-delivery-attempt)$/
const MOST = 20
const MOST_BYTES = 8_192
