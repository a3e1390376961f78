import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Viewer } from '@oncekey/dashboard'

export function newToken(): string {
  return randomBytes(24).toString('base64url')
}

/**
 * Who has the token is the viewer; a program sends it as a bearer, and a browser is asked for it as
 * a password. A cookie would be sent along by other sites' forms, and a token in the path would be
 * in every history.
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
