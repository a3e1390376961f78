import type { IncomingMessage } from 'node:http'

/** What is read of a request: Node's own, and what Connect, Express and body parsers put on it. */
export interface NodeRequest extends IncomingMessage {
  /** The URL before a router took its mount path off. */
  originalUrl?: string
  // biome-ignore lint/suspicious/noExplicitAny: what body parsers call it; `unknown` would spread to handlers
  body?: any
}
