import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Viewer } from '@oncekey/dashboard'

export function newToken(): string {
  return randomBytes(24).toString('base64url')
}

/**
 * Whoever sends the token is the viewer: programs as a bearer token, browsers as the password that
 * they ask for. Not a cookie, which forms of other sites would send along, and not in the path,
 * which histories keep.
 */
export function bearerOrBasic(
  token: string,
  viewer: Viewer,
): (request: Request) => Viewer | Response {
  return (request) => {
    const [scheme = '', given = ''] = request.headers.get('authorization')?.split(' ', 2) ?? []
    const password = scheme.toLowerCase() === 'basic' ? passwordIn(given) : given
    if (isSame(password, token)) return viewer
    return new Response('Send the token that oncekey dashboard has printed, as the password.\n', {
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="Oncekey", charset="UTF-8"' },
    })
  }
}

function passwordIn(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString()
  return text.slice(text.indexOf(':') + 1)
}

/** By digests, so that neither length nor time tells of the token. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other))
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer')
