/**
 * The broker reports that the destination does not exist, or that nobody takes what is sent there.
 * It may be created soon: see `missing-destinations.ts`.
 */
export class MissingDestinationError extends Error {
  override readonly name = 'MissingDestinationError'
}
