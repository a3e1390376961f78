import type { KoaContext } from './koa-context.ts'

/**
 * Lets Koa answer a client that has hung up. Koa ends such a response without a body
 * (`ctx.writable`), and this would be what is stored: every retry would get an empty answer. Call
 * it when the middleware behind has ended, and not before: until then Koa takes the error of a lost
 * connection for one of the app (`ctx.onerror`), and would answer 500 to a client whose handler is
 * still running.
 */
export function answerThoughGone({ res, response }: KoaContext): void {
  Object.defineProperty(response, 'writable', {
    configurable: true,
    get: () => !res.writableEnded && !res.finished,
  })
}
