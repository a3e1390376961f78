import type { NextFunction, Request, Response } from 'express'

type Handler = (req: Request, res: Response, next: NextFunction) => unknown

export interface Case {
  readonly title: string
  readonly handler: Handler
  /** Bare Express ends the connection instead of the response. */
  readonly breaks?: true
  /** Not stored: a retry runs the handler again. */
  readonly retries?: true
  readonly headers?: Record<string, string>
  readonly path?: string
  readonly only?: 'Express 5'
  /** No header is set before the handler. */
  readonly unpowered?: true
}
