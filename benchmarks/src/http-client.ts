import { Pool } from 'undici'

/** A request; answers are read to their end and discarded. */
export interface Post {
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string
  readonly expectedStatus: number
}

export interface HttpClient {
  post(request: Post): Promise<void>
  close(): Promise<void>
}

/** Keep-alive connections with one request at a time on each. An unexpected answer is an error. */
export function httpClient(port: number, connections: number): HttpClient {
  const pool = new Pool(`http://127.0.0.1:${port}`, {
    connections,
    pipelining: 1,
    // The keep-alive time, unless a server states its own.
    keepAliveTimeout: 600_000,
  })

  return {
    post: ({ path, headers, body, expectedStatus }) =>
      // Uses `dispatch` and not `request`, which makes a stream for each answer: the load has to
      // cost less than the server that it measures.
      new Promise((resolve, reject) => {
        let status = 0
        pool.dispatch(
          { path, method: 'POST', headers, body },
          {
            onRequestStart() {},
            onResponseStart(_controller, statusCode) {
              status = statusCode
            },
            onResponseData() {},
            onResponseEnd() {
              if (status === expectedStatus) resolve()
              else reject(new Error(`POST ${path} was answered ${status}, not ${expectedStatus}`))
            },
            onResponseError: (_controller, error) => reject(error),
          },
        )
      }),
    close: () => pool.close(),
  }
}
