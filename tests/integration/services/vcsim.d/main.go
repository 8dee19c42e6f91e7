// Serves govmomi's model of a vCenter until it is ended: main ADDRESS USER PASSWORD, where ADDRESS is host:port.
package main

import (
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	address, user, password := os.Args[1], os.Args[2], os.Args[3]
	vcenter := simulator.VPX()
	vcenter.Datastore = 2
	if err := vcenter.Create(); err != nil {
		log.Fatal(err)
	}
	// The inventory's directories go when it ends.
	defer vcenter.Remove()
	vcenter.Service.Listen = &url.URL{Host: address, User: url.UserPassword(user, password)}
	server := vcenter.Service.NewServer()
	defer server.Close()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
