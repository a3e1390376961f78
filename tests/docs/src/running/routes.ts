import { createHmac, randomUUID } from 'node:crypto'
import { signWebhook } from '@oncekey/webhooks/sign'
import { SECRET } from './reader.ts'

interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
}

/** What a single sign-on proxy says of the operator in the pages' examples, and a password. */
const LOGGED_IN = {
  'x-forwarded-email': 'maria@shop.example',
  authorization: `Basic ${Buffer.from('ops:secret').toString('base64')}`,
}

/** What any of the pages' handlers reads from a body. */
const BODY = { item: 'violin', cents: 4200, show: 'hamlet', id: 'evt_1', type: 'order.created' }

/**
 * Asks every route of a snippet as its client would, twice where it writes. The second answer has
 * to be a replay if the snippet covers its route.
 */
export async function askRoutes(text: string, url: string): Promise<void> {
  const replayed = /\bonce\b|idempoten|received/i.test(text) ? 'true' : null
  let location: string | null = null
  for (const { method, path } of routesOf(text)) {
    const wanted: string = path.includes(':') && location !== null ? location : path
    if (method === 'GET') {
      const response = await fetch(url + wanted, { headers: LOGGED_IN })
      await said(response, `GET ${wanted}`)
      continue
    }
    const request = requestTo(text)
    const first: Response = await fetch(url + wanted, request)
    const body = await said(first, `POST ${wanted}`)
    location = first.headers.get('location')
    const again = await fetch(url + wanted, request)
    const told = [again.status, again.headers.get('x-idempotency-replayed'), await again.text()]
    const expected = [first.status, replayed, body]
    if (JSON.stringify(told) !== JSON.stringify(expected)) {
      throw new Error(`POST ${wanted} again: ${told.join(' ')} instead of ${expected.join(' ')}`)
    }
  }
}

async function said(response: Response, what: string): Promise<string> {
  const body = await response.text()
  if (!response.ok) throw new Error(`${what}: ${response.status} ${body}`)
  return body
}

function routesOf(text: string): Route[] {
  const [, controller] = /@Controller\('([^']*)'\)/.exec(text) ?? []
  if (controller !== undefined) return [{ method: 'POST', path: `/${controller}` }]
  const [mounting = '', under = ''] = /\bapp\.use\('(\/[^']*)',.*\brouter\)/.exec(text) ?? []
  const routes = [
    ...text
      .replace(mounting, '')
      .matchAll(/\b(?:app|router|scope)\.(get|post|all|use)\(\s*'(\/[^']*)'/g),
  ].map(([, verb, path = '']): Route => {
    // tRPC has its procedures below the path.
    if (path === '/trpc') return { method: 'POST', path: '/trpc/place' }
    return { method: verb === 'post' ? 'POST' : 'GET', path: under + path.replace('*', '') }
  })
  if (routes.length > 0) return routes
  if (text.includes('= dashboard(')) return [{ method: 'GET', path: '/' }]
  if (/\bshow\b/.test(text)) return [{ method: 'GET', path: '/admin/oncekey/' }]
  return /\bonce\b|idempotency\(/.test(text) ? [{ method: 'POST', path: '/' }] : []
}

function requestTo(text: string): RequestInit {
  const headers: Record<string, string> = { 'idempotency-key': randomUUID(), 'x-account': 'ana' }
  if (/multer|multipart/.test(text)) {
    const body = new FormData()
    body.set('title', 'a score')
    body.set('file', new Blob(['notes']), 'score.txt')
    return { method: 'POST', headers, body }
  }
  const body = JSON.stringify(BODY)
  headers['content-type'] = 'application/json'
  if (text.includes('receiveWebhook')) Object.assign(headers, signatureFor(text, body))
  return { method: 'POST', headers, body }
}

function signatureFor(text: string, body: string): object {
  const id = randomUUID()
  const time = Math.floor(Date.now() / 1000)
  const signature = createHmac('sha256', SECRET).update(`${time}.${body}`).digest('hex')
  if (text.includes('stripe')) return { 'stripe-signature': `t=${time},v1=${signature}` }
  if (!text.includes('x-acme-')) return signWebhook({ id, body, secrets: [SECRET] })
  return { 'x-acme-delivery': id, 'x-acme-timestamp': `${time}`, 'x-acme-signature': signature }
}
