package main

import (
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/store/open"
)

type config struct {
	HTTP     httpserve.Config
	Token    identity.TokenConfig
	Keys     identity.KeysConfig
	Store    open.Config
	Registry registry.Config
}
