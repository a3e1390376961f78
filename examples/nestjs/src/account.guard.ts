import { type CanActivate, type ExecutionContext, UnauthorizedException } from '@nestjs/common'

export interface AccountRequest {
  readonly headers: Readonly<Record<string, string | undefined>>
  account: string
}

/**
 * Takes the place of your authentication: it finds out whose request it is, before anything is
 * claimed or replayed.
 */
export class AccountGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<AccountRequest>()
    const account = request.headers['x-account']
    if (account === undefined) throw new UnauthorizedException()
    request.account = account
    return true
  }
}
