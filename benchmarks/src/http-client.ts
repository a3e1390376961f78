import { Pool } from 'undici'

/** What is sent; answers are read to their end and thrown away. */
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

/**
 * Keep-alive connections, one request at a time on each. An answer that was not expected is an
 * error.
 */
export function httpClient(port: number, connections: number): HttpClient {
  const pool = new Pool(`http://127.0.0.1:${port}`, {
    connections,
    pipelining: 1,
    // Unless a server says how long it keeps them.
    keepAliveTimeout: 600_000,
  })

  return {
    post: ({ path, headers, body, expectedStatus }) =>
      // `dispatch`, not `request`: no stream per answer, so the load costs less than what it
      // measures.
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
