// Uses the Images API through gophercloud and prints what its user sees: "main life MEMBER" or "main refusals STATUS...".
//
// With OS_AUTH_URL it asks Keystone; otherwise ENDPOINT and TOKEN say where the service is and who calls.
package main

import (
	"fmt"
	"io/ioutil"
	"os"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud"
	"github.com/gophercloud/gophercloud/openstack"
	"github.com/gophercloud/gophercloud/openstack/imageservice/v2/imagedata"
	"github.com/gophercloud/gophercloud/openstack/imageservice/v2/imageimport"
	"github.com/gophercloud/gophercloud/openstack/imageservice/v2/images"
	"github.com/gophercloud/gophercloud/openstack/imageservice/v2/members"
)

const content = "the content of a disk"

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newClient() *gophercloud.ServiceClient {
	if os.Getenv("OS_AUTH_URL") == "" {
		provider := &gophercloud.ProviderClient{}
		provider.UseTokenLock()
		provider.SetToken(os.Getenv("TOKEN"))
		endpoint := os.Getenv("ENDPOINT") + "/"
		return &gophercloud.ServiceClient{
			ProviderClient: provider, Endpoint: endpoint, ResourceBase: endpoint + "v2/",
		}
	}
	options, err := openstack.AuthOptionsFromEnv()
	check(err)
	provider, err := openstack.AuthenticatedClient(options)
	check(err)
	client, err := openstack.NewImageServiceV2(
		provider, gophercloud.EndpointOpts{Region: os.Getenv("OS_REGION_NAME")},
	)
	check(err)
	return client
}

func create(client *gophercloud.ServiceClient, tags ...string) *images.Image {
	visibility := images.ImageVisibilityShared
	image, err := images.Create(client, images.CreateOpts{
		Name: "disk", DiskFormat: "raw", ContainerFormat: "bare", Visibility: &visibility,
		Tags: tags, Properties: map[string]string{"os_distro": "leap"},
	}).Extract()
	check(err)
	return image
}

func show(client *gophercloud.ServiceClient, id string) *images.Image {
	image, err := images.Get(client, id).Extract()
	check(err)
	return image
}

func waitUntilActive(client *gophercloud.ServiceClient, id string) *images.Image {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if image := show(client, id); image.Status == images.ImageStatusActive {
			return image
		}
	}
	check(fmt.Errorf("image %s did not become active", id))
	return nil
}

func data(client *gophercloud.ServiceClient, id string) string {
	reader, err := imagedata.Download(client, id).Extract()
	check(err)
	read, err := ioutil.ReadAll(reader)
	check(err)
	return string(read)
}

func list(client *gophercloud.ServiceClient, wanted images.ListOpts) []images.Image {
	pages, err := images.List(client, wanted).AllPages()
	check(err)
	found, err := images.ExtractImages(pages)
	check(err)
	return found
}

// life takes an image through everything that gophercloud can do with it.
func life(client *gophercloud.ServiceClient, project string) {
	image := create(client, "x86", "old")
	fmt.Println("created", image.Status, image.Visibility, len(image.Tags), image.Properties["os_distro"])

	check(imagedata.Upload(client, image.ID, strings.NewReader(content)).ExtractErr())
	image = show(client, image.ID)
	fmt.Println("uploaded", image.Status, image.SizeBytes, image.Checksum)
	fmt.Println("downloaded", data(client, image.ID) == content)

	image, err := images.Update(client, image.ID, images.UpdateOpts{
		images.ReplaceImageName{NewName: "renamed"},
		images.ReplaceImageTags{NewTags: []string{"x86", "new"}},
		images.UpdateImageProperty{Op: images.AddOp, Name: "colour", Value: "blue"},
		images.UpdateImageProperty{Op: images.RemoveOp, Name: "os_distro"},
	}).Extract()
	check(err)
	fmt.Println("changed", image.Name, len(image.Tags), image.Properties["colour"], image.Properties["os_distro"])

	for i := 0; i < 3; i++ {
		create(client, "page")
	}
	fmt.Println("listed", len(list(client, images.ListOpts{Tags: []string{"page"}, Limit: 2})))
	fmt.Println("found", len(list(client, images.ListOpts{Name: "renamed", Tags: []string{"new"}})))

	member, err := members.Create(client, image.ID, project).Extract()
	check(err)
	fmt.Println("shared", member.MemberID == project, member.Status)
	pages, err := members.List(client, image.ID).AllPages()
	check(err)
	shared, err := members.ExtractMembers(pages)
	check(err)
	fmt.Println("members", len(shared))
	check(members.Delete(client, image.ID, project).ExtractErr())

	info, err := imageimport.Get(client).Extract()
	check(err)
	fmt.Println("methods", info.ImportMethods.Value)
	imported := create(client)
	check(imagedata.Stage(client, imported.ID, strings.NewReader(content)).ExtractErr())
	fmt.Println("staged", show(client, imported.ID).Status)
	check(imageimport.Create(client, imported.ID, imageimport.CreateOpts{
		Name: imageimport.GlanceDirectMethod,
	}).ExtractErr())
	fmt.Println("imported", waitUntilActive(client, imported.ID).SizeBytes, data(client, imported.ID) == content)

	for _, each := range list(client, images.ListOpts{}) {
		check(images.Delete(client, each.ID).ExtractErr())
	}
	fmt.Println("deleted", len(list(client, images.ListOpts{})))
	_, err = images.Get(client, image.ID).Extract()
	fmt.Println("gone", err)
}

// refusals does to images whose ids are statuses what is refused with that status.
func refusals(client *gophercloud.ServiceClient, statuses []string) {
	for _, status := range statuses {
		fmt.Println(status, "delete", oneLine(images.Delete(client, status).ExtractErr()))
		fmt.Println(status, "upload", oneLine(imagedata.Upload(client, status, strings.NewReader("x")).ExtractErr()))
		_, err := images.Update(client, status, images.UpdateOpts{images.ReplaceImageName{NewName: "x"}}).Extract()
		fmt.Println(status, "update", oneLine(err))
		_, err = imagedata.Download(client, status).Extract()
		fmt.Println(status, "download", oneLine(err))
	}
}

// oneLine returns what an error says and, where that leaves the answer out, the answer.
func oneLine(err error) string {
	text := fmt.Sprint(err)
	switch refused := err.(type) {
	case gophercloud.ErrDefault404:
		text += " / " + string(refused.Body)
	case gophercloud.ErrDefault503:
		text += " / " + string(refused.Body)
	}
	return strings.ReplaceAll(text, "\n", " ")
}

func main() {
	client := newClient()
	if os.Args[1] == "life" {
		life(client, os.Args[2])
	} else {
		refusals(client, os.Args[2:])
	}
}
