/** What the program prints when it has started. */
export const usage = (port: number): string =>
  `http://127.0.0.1:${port} takes orders. Try it, twice:

  curl -i http://127.0.0.1:${port}/orders -H 'X-Account: ana' \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-key' -d '{"item":"violin"}'`
